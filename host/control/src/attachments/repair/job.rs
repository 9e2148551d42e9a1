//! One attachment that is to be made anew.

use std::time::Duration;

use serde::Serialize;
use springform_model::cloud::{AttachStatus, Attachment};
use springform_store::{Changes, Query};
use tokio::time::{Instant, sleep};

use super::commands;
use super::under_way::UnderWay;
use crate::ControlError;
use crate::compute::{Compute, ComputeError};
use crate::engine::Operations;

/// How long a server is given to let go of a volume; then it is asked again the next time.
const LET_GO: Duration = Duration::from_secs(25);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// What became of one attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is attached anew.
    Reattached,
    /// It would be: nothing was done.
    WouldReattach,
    /// A person has to do it; the commands are there.
    ByHand,
    /// The server has not let go of the volume yet: ask again.
    Pending,
    /// It did not work: ask again, or do it by hand.
    Failed,
}

/// What became of one attachment, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Volume.
    pub volume_id: String,
    /// Server; none for a machine that is not Nova's.
    pub server_id: Option<String>,
    /// The attachment that was outdated.
    pub attachment_id: String,
    /// Backend.
    pub backend: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it is not done.
    pub reason: Option<String>,
    /// What to type instead.
    pub commands: Vec<String>,
}

/// One attachment that is to be made anew.
pub(super) enum Job {
    /// A failover left it behind.
    Outdated(Box<Attachment>, Option<String>),
    /// A repair detached it, or was about to.
    Unfinished(UnderWay),
}

type Ending = (Outcome, Option<String>, Vec<String>);

impl Job {
    pub(super) fn outdated(attachment: Attachment, backend: Option<String>) -> Self {
        Self::Outdated(Box::new(attachment), backend)
    }

    pub(super) fn unfinished(row: UnderWay) -> Self {
        Self::Unfinished(row)
    }

    pub(super) fn backend(&self) -> Option<&String> {
        match self {
            Self::Outdated(_, backend) => backend.as_ref(),
            Self::Unfinished(row) => row.backend.as_ref(),
        }
    }

    pub(super) fn is_about(&self, attachment: &Attachment) -> bool {
        match self {
            Self::Outdated(known, _) => known.id == attachment.id,
            Self::Unfinished(row) => {
                row.volume_id == attachment.volume_id
                    && Some(&row.server_id) == attachment.instance_id.as_ref()
            }
        }
    }

    /// Carries it out.
    pub(super) async fn run(
        self,
        operations: &Operations,
        compute: Option<&dyn Compute>,
        dry_run: bool,
    ) -> Result<Repaired, ControlError> {
        let (volume_id, server_id, attachment_id) = match &self {
            Self::Outdated(a, _) => (a.volume_id.clone(), a.instance_id.clone(), a.id.clone()),
            Self::Unfinished(row) => (
                row.volume_id.clone(),
                Some(row.server_id.clone()),
                row.attachment_id.clone(),
            ),
        };
        let backend = self.backend().cloned();
        let ended = match (&server_id, compute) {
            _ if self.never_told() => Ok(self.forgotten()),
            (None, _) => Ok(self.machine()),
            (Some(_), None) => Ok((
                Outcome::WouldReattach,
                Some("Nova was not asked whether it may".to_owned()),
                Vec::new(),
            )),
            (Some(server), Some(compute)) => {
                let nova = Nova {
                    operations,
                    compute,
                    server,
                    volume: &volume_id,
                };
                nova.reattach(self, dry_run).await
            }
        };
        let (outcome, reason, commands) = match ended {
            Ok(ending) => ending,
            Err(Trouble::Store(error)) => return Err(error),
            Err(Trouble::Nova(error)) => (Outcome::Failed, Some(error.to_string()), Vec::new()),
        };
        Ok(Repaired {
            volume_id,
            server_id,
            attachment_id,
            backend,
            outcome,
            reason,
            commands,
        })
    }

    /// Whether connecting or disconnecting failed before the volume moved: nobody uses the attachment, and nobody will.
    fn never_told(&self) -> bool {
        let failed = [AttachStatus::ErrorAttaching, AttachStatus::ErrorDetaching];
        matches!(self, Self::Outdated(attachment, _) if failed.contains(&attachment.status))
    }

    fn forgotten(&self) -> Ending {
        let commands = match self {
            Self::Outdated(attachment, _) => commands::forget(&attachment.id),
            Self::Unfinished(_) => Vec::new(),
        };
        let why = "it had failed before the volume moved, and leads nowhere now";
        (Outcome::ByHand, Some(why.to_owned()), commands)
    }

    fn machine(&self) -> Ending {
        let commands = match self {
            Self::Outdated(attachment, _) => commands::machine(attachment),
            Self::Unfinished(_) => Vec::new(),
        };
        let why = "it belongs to no server of Nova's";
        (Outcome::ByHand, Some(why.to_owned()), commands)
    }
}

/// Why a job ended early.
enum Trouble {
    Nova(ComputeError),
    Store(ControlError),
}

impl From<ComputeError> for Trouble {
    fn from(error: ComputeError) -> Self {
        Self::Nova(error)
    }
}

impl From<ControlError> for Trouble {
    fn from(error: ControlError) -> Self {
        Self::Store(error)
    }
}

fn by_hand(why: impl Into<String>, commands: Vec<String>) -> Result<Ending, Trouble> {
    Ok((Outcome::ByHand, Some(why.into()), commands))
}

/// One server and one volume.
struct Nova<'a> {
    operations: &'a Operations,
    compute: &'a dyn Compute,
    server: &'a str,
    volume: &'a str,
}

impl Nova<'_> {
    async fn reattach(&self, job: Job, dry_run: bool) -> Result<Ending, Trouble> {
        let found = self.compute.server(self.server).await?;
        let Some(server) = found else {
            return self.server_is_gone(&job, dry_run).await;
        };
        let attached = self.compute.attached(self.server, self.volume).await?;
        let row = match (job, attached) {
            (Job::Unfinished(row), None) => row,
            (Job::Unfinished(row), Some(_)) if !self.is_outdated().await? => {
                // The repair before this one got further than it could write down.
                if !dry_run {
                    self.forget(&row).await?;
                }
                return Ok((Outcome::Reattached, None, Vec::new()));
            }
            (Job::Outdated(attachment, _), None) => {
                return by_hand(
                    "the server does not have the volume, by what Nova says",
                    commands::forget(&attachment.id),
                );
            }
            (Job::Unfinished(row), Some(attached)) => UnderWay { attached, ..row },
            (Job::Outdated(attachment, backend), Some(attached)) => {
                if attached.device.is_some() && attached.device == server.root_device {
                    return by_hand(
                        "it is the server's root volume, which Nova does not detach",
                        commands::root(self.server, self.volume, attachment.host_name.as_deref()),
                    );
                }
                UnderWay {
                    id: format!("repair/{}/{}", self.volume, self.server),
                    volume_id: self.volume.to_owned(),
                    server_id: self.server.to_owned(),
                    attachment_id: attachment.id,
                    backend,
                    attached,
                    since: self.operations.now(),
                }
            }
        };
        if dry_run {
            return Ok((Outcome::WouldReattach, None, Vec::new()));
        }
        self.carry_out(row).await
    }

    async fn carry_out(&self, row: UnderWay) -> Result<Ending, Trouble> {
        // Journal before effect: from here on the next repair knows that the server is to get the volume back.
        self.write(Changes::new().put(&row)).await?;
        let mut held = self
            .compute
            .attached(self.server, self.volume)
            .await?
            .is_some();
        if held {
            match self.compute.detach(self.server, self.volume).await {
                Ok(()) => {}
                Err(ComputeError::Refused(why)) => {
                    // It may be on its way already; then the volume goes by itself.
                    self.forget(&row).await?;
                    let commands = commands::data(self.server, self.volume, &row.attached);
                    return by_hand(format!("Nova does not detach it: {why}"), commands);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let until = Instant::now() + LET_GO;
        while held && Instant::now() < until {
            sleep(LOOK).await;
            held = self
                .compute
                .attached(self.server, self.volume)
                .await?
                .is_some();
        }
        if held {
            let why = "the server has not let go of the volume yet; ask again";
            return Ok((Outcome::Pending, Some(why.to_owned()), Vec::new()));
        }
        match self
            .compute
            .attach(self.server, self.volume, &row.attached)
            .await
        {
            Ok(()) => {
                self.forget(&row).await?;
                Ok((Outcome::Reattached, None, Vec::new()))
            }
            Err(ComputeError::Refused(why)) => Ok((
                Outcome::Failed,
                Some(format!(
                    "it is detached, and Nova does not attach it: {why}; it is tried again with the next repair"
                )),
                vec![commands::add(self.server, self.volume, &row.attached)],
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn server_is_gone(&self, job: &Job, dry_run: bool) -> Result<Ending, Trouble> {
        match job {
            Job::Outdated(attachment, _) => by_hand(
                "the server is gone, by what Nova says",
                commands::forget(&attachment.id),
            ),
            Job::Unfinished(row) => {
                if !dry_run {
                    self.forget(row).await?;
                }
                by_hand(
                    "the server is gone; the volume was detached from it",
                    Vec::new(),
                )
            }
        }
    }

    /// Whether the server's attachment is still the one that a failover left behind.
    async fn is_outdated(&self) -> Result<bool, Trouble> {
        let query = Query::new()
            .eq("volume_id", self.volume)
            .eq("instance_id", self.server);
        let found = self.operations.store().list::<Attachment>(&query).await;
        let found = found.map_err(ControlError::from)?;
        Ok(found.iter().any(|a| a.record.outdated.is_some()))
    }

    async fn forget(&self, row: &UnderWay) -> Result<(), Trouble> {
        self.write(Changes::new().remove::<UnderWay>(&row.id)).await
    }

    async fn write(&self, changes: Changes) -> Result<(), Trouble> {
        let written = self.operations.store().commit(changes).await;
        Ok(written.map_err(ControlError::from)?)
    }
}

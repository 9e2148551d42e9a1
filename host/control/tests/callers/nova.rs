//! A Nova that speaks of the wrong project: it hides servers of others, as it has to, or lies about them. Whatever it says, no
//! server loses a disk that it may have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use springform_control::attachments::CreateAttachment;
use springform_control::compute::{ComputeError, ServerVolumes};
use springform_control::{Caller, Control, ErrorKind};
use springform_model::cloud::{AttachStatus, Attachment, Volume};
use springform_model::contract::Connector;

use crate::common::admin;
use crate::{control, member, volume};

const SERVER: &str = "6f0d2a4e-0000-4000-8000-000000000001";

/// What it says when it is asked with the token of a project.
#[derive(Debug, Clone)]
enum Says {
    /// The server has the volume by this attachment.
    Has(String),
    /// The server, which it shows, has not.
    HasNot,
    /// There is no such server.
    NoServer,
    /// Nothing of use.
    Fails(ComputeError),
}

/// A Nova, as one project sees it.
#[derive(Debug, Default)]
struct Nova {
    says: Mutex<Option<Says>>,
    /// How often it was asked of what.
    heard: Mutex<BTreeMap<String, usize>>,
}

impl Nova {
    fn says(&self) -> Says {
        self.says.lock().unwrap().clone().unwrap_or(Says::NoServer)
    }

    fn hears(&self, what: String) {
        *self.heard.lock().unwrap().entry(what).or_default() += 1;
    }
}

#[async_trait]
impl ServerVolumes for Nova {
    async fn attachment(&self, server: &str, volume: &str) -> Result<Option<String>, ComputeError> {
        self.hears(format!("{server}/{volume}"));
        match self.says() {
            Says::Has(attachment) => Ok(Some(attachment)),
            Says::HasNot | Says::NoServer => Ok(None),
            Says::Fails(error) => Err(error),
        }
    }

    async fn shows(&self, server: &str) -> Result<bool, ComputeError> {
        self.hears(server.to_owned());
        match self.says() {
            Says::Has(_) | Says::HasNot => Ok(true),
            Says::NoServer => Ok(false),
            Says::Fails(error) => Err(error),
        }
    }
}

fn connector() -> Connector {
    Connector {
        host: "h1".into(),
        initiator: Some("iqn.1993-08.org.debian:01:h1".into()),
        ..Connector::default()
    }
}

/// A volume of one project that a server uses, attached by this caller.
async fn used(control: &Control, own: &Caller, by: &Caller) -> (Volume, Attachment) {
    let volume = volume(control, own).await;
    let wanted = CreateAttachment {
        volume_id: volume.id.clone(),
        instance_id: Some(SERVER.to_owned()),
        connector: Some(connector()),
        ..CreateAttachment::default()
    };
    let attachments = control.attachments();
    let made = attachments.create(by, wanted).await.unwrap();
    attachments.complete(by, &made.id).await.unwrap();
    (volume, made)
}

fn asks(caller: &Caller, nova: &Arc<Nova>, says: Says) -> Caller {
    *nova.says.lock().unwrap() = Some(says);
    Caller {
        nova: Some(nova.clone()),
        ..caller.clone()
    }
}

async fn stays(control: &Control, caller: &Caller, made: &Attachment, kind: ErrorKind, word: &str) {
    let attachments = control.attachments();
    let refused = attachments.delete(caller, &made.id).await.unwrap_err();
    assert_eq!(refused.kind, kind, "{refused:?}");
    assert!(refused.message.contains(word), "{refused:?}");
    let detach = control.volumes();
    let detached = detach.detach(caller, &made.volume_id, Some(&made.id)).await;
    assert_eq!(detached.unwrap_err().kind, kind);
    let now = attachments.get(&admin(), &made.id).await.unwrap();
    assert_eq!(now.status, AttachStatus::Attached);
}

#[tokio::test]
async fn nova_hides_a_server_of_another_project_and_it_keeps_its_disk() {
    let (_dir, control) = control().await;
    let own = member("bb");
    // An administrator of a third project attached it, to a server which may be theirs.
    let (volume, made) = used(&control, &own, &admin()).await;
    let nova = Arc::new(Nova::default());
    let asking = asks(&own, &nova, Says::NoServer);
    stays(
        &control,
        &asking,
        &made,
        ErrorKind::Conflict,
        "let an administrator do this",
    )
    .await;
    let heard = nova.heard.lock().unwrap().clone();
    assert!(heard.contains_key(&format!("{SERVER}/{}", volume.id)));
    assert!(heard.contains_key(SERVER), "{heard:?}");
    // The administrator is shown every server: to them none is none.
    let asking = asks(&admin(), &nova, Says::NoServer);
    let left = control.attachments().delete(&asking, &made.id).await;
    assert_eq!(left.unwrap(), []);
}

#[tokio::test]
async fn nova_shows_every_server_to_an_administrator_of_whatever_project() {
    let (_dir, control) = control().await;
    let (_, made) = used(&control, &member("bb"), &admin()).await;
    let nova = Arc::new(Nova::default());
    let another = Caller::new("v", "dd", vec!["admin".into()]);
    let asking = asks(&another, &nova, Says::NoServer);
    let left = control.attachments().delete(&asking, &made.id).await;
    assert_eq!(left.unwrap(), []);
    assert!(!nova.heard.lock().unwrap().contains_key(SERVER));
}

#[tokio::test]
async fn nova_says_that_there_is_no_server_and_its_project_is_believed() {
    let (_dir, control) = control().await;
    let nova = Arc::new(Nova::default());
    let (own, other) = (member("bb"), Caller::new("v", "bb", vec!["member".into()]));
    // Attached by a user of the volume's own project: their servers are shown to all of them.
    let (_, made) = used(&control, &own, &other).await;
    assert_eq!(made.made_by, None);
    let asking = asks(&own, &nova, Says::NoServer);
    let left = control.attachments().delete(&asking, &made.id).await;
    assert_eq!(left.unwrap(), []);
    assert!(!nova.heard.lock().unwrap().contains_key(SERVER));
}

#[tokio::test]
async fn nova_shows_the_server_that_an_administrator_attached_and_is_believed() {
    let (_dir, control) = control().await;
    let own = member("bb");
    let nova = Arc::new(Nova::default());
    for says in [Says::HasNot, Says::Has("another".to_owned())] {
        // As in a live migration that an administrator ordered.
        let (_, made) = used(&control, &own, &admin()).await;
        let asking = asks(&own, &nova, says);
        let left = control.attachments().delete(&asking, &made.id).await;
        assert_eq!(left.unwrap(), []);
    }
}

#[tokio::test]
async fn nova_lies_fails_or_denies_and_the_disk_stays_with_the_reason_told() {
    let (_dir, control) = control().await;
    let own = member("bb");
    let nova = Arc::new(Nova::default());
    for by in [&own, &admin()] {
        let (_, made) = used(&control, &own, by).await;
        let no = || "as it says".to_owned();
        for (says, kind, word) in [
            // That it has the disk is believed of whatever server it says it.
            (Says::Has(made.id.clone()), ErrorKind::Conflict, "has it"),
            (
                Says::Fails(ComputeError::Unavailable(no())),
                ErrorKind::Unavailable,
                "Try again",
            ),
            (
                Says::Fails(ComputeError::Denied(no())),
                ErrorKind::Conflict,
                "as it says",
            ),
            (
                Says::Fails(ComputeError::Refused(no())),
                ErrorKind::Conflict,
                "as it says",
            ),
        ] {
            let asking = asks(&own, &nova, says);
            stays(&control, &asking, &made, kind, word).await;
        }
        let asking = asks(&own, &nova, Says::HasNot);
        let left = control.attachments().delete(&asking, &made.id).await;
        assert_eq!(left.unwrap(), []);
    }
}

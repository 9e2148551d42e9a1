//! Words of `springform outbox`.

use clap::Subcommand;

/// What to do with the outbox.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// List deliveries, newest first.
    List {
        /// Only those in this state: pending, delivered, dead.
        #[arg(long)]
        state: Option<String>,
        /// Only those for this webhook.
        #[arg(long)]
        receiver: Option<String>,
        /// Only those about this volume or backend.
        #[arg(long)]
        subject: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Send one again that was given up, or that waits for its next attempt.
    Retry {
        /// Its id: event and webhook, as listed.
        id: String,
    },
}

//! Operations: the journal as an operator reads it, live progress, and cancel.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use springform_control::query::{Direction, Query};
use springform_model::operation::Operation;
use springform_model::replication::cancel::takes_effect;
use springform_model::time::Timestamp;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::pages::{Page, after};
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{CancelledOperation, OperationView, Operations};

pub(super) fn routes(r: &mut Routes) {
    r.get("/operations", "springform:operations:list", list)
        .admin()
        .asks(&["state", "backend", "verb", "subject", "limit", "marker"])
        .says("Lists operations, newest first.")
        .returns::<Operations<'_>>(200);
    r.get(
        "/operations/{operation_id}",
        "springform:operations:get",
        show,
    )
    .admin()
    .says("Shows an operation with its steps.")
    .returns::<OperationView<'_>>(200);
    r.get(
        "/operations/{operation_id}/events",
        "springform:operations:get",
        events,
    )
    .admin()
    .says("Sends the operation at each change until it has ended (server-sent events).")
    .streams::<OperationView<'_>>(200);
    r.post(
        "/operations/{operation_id}/cancel",
        "springform:operations:cancel",
        cancel,
    )
    .admin()
    .says("Asks an operation to stop where that is safe; `cancel` says where that is, or why it is not.")
    .returns::<CancelledOperation<'_>>(202);
}

async fn list(call: Call) -> Answer {
    let newest = Query::new().sort("created_at", Direction::Desc);
    let page = Page::read(&call, newest, &["state", "backend", "verb", "subject"])?;
    let found = call
        .control()
        .operations()
        .list(&call.caller, page.query)
        .await?;
    let next = after(page.rows, &found, |last| &last.id);
    let operations = found.iter().map(OperationView::new).collect();
    json(200, &Operations { next, operations })
}

async fn show(call: Call) -> Answer {
    let operations = call.control().operations();
    let id = call.part("operation_id");
    let found = operations.get(&call.caller, id).await?;
    json(200, &OperationView::new(&found))
}

async fn cancel(call: Call) -> Answer {
    let operation = call
        .control()
        .operations()
        .cancel(&call.caller, call.part("operation_id"))
        .await?;
    let answer = CancelledOperation {
        operation: OperationView::new(&operation),
        cancel: takes_effect(&operation),
    };
    json(202, &answer)
}

/// After so long without news the record is read: nobody waits for ever for an end that was told to nobody.
const AGAIN: Duration = Duration::from_secs(10);

/// What a stream of events has to remember.
struct Watch {
    call: Call,
    receiver: Receiver<Operation>,
    /// What is sent before anything is waited for.
    first: Option<Operation>,
    /// When what was sent last was written.
    sent: Timestamp,
    ended: bool,
}

async fn events(call: Call) -> Answer {
    // Listening begins before the record is read, so that no change falls between the two.
    let receiver = call.control().operations().events();
    let first = call
        .control()
        .operations()
        .get(&call.caller, call.part("operation_id"))
        .await?;
    let watch = Watch {
        call,
        receiver,
        first: Some(first),
        sent: Timestamp::default(),
        ended: false,
    };
    let stream = stream::unfold(watch, |mut watch| async move {
        if watch.ended {
            return None;
        }
        let operation = next(&mut watch).await.ok()?;
        watch.ended = operation.state.is_terminal();
        watch.sent = operation.updated_at;
        let data = serde_json::to_string(&OperationView::new(&operation)).ok()?;
        Some((
            Ok::<_, Infallible>(Event::default().event("operation").data(data)),
            watch,
        ))
    });
    Ok(Sse::new(stream)
        .keep_alive(KeepAlive::default())
        .into_response())
}

async fn next(watch: &mut Watch) -> Result<Operation, ApiError> {
    if let Some(first) = watch.first.take() {
        return Ok(first);
    }
    let id = watch.call.part("operation_id").to_owned();
    let mut again = tokio::time::interval_at(Instant::now() + AGAIN, AGAIN);
    loop {
        let heard = tokio::select! {
            heard = watch.receiver.recv() => heard,
            _ = again.tick() => Err(RecvError::Lagged(0)),
        };
        match heard {
            Ok(operation) if operation.id == id => return Ok(operation),
            Ok(_) => {}
            // What was missed is in the record; a host that stops ends the stream.
            Err(RecvError::Lagged(_)) => {
                let operations = watch.call.control().operations();
                let now = operations.get(&watch.call.caller, &id).await?;
                if now.updated_at != watch.sent || now.state.is_terminal() {
                    return Ok(now);
                }
            }
            Err(RecvError::Closed) => return Err(ApiError::busy("The host is stopping.", 5)),
        }
    }
}

//! Messages that can't be understood: they come before a person all the same, as a review without a
//! draft in a conversation of their own.
//!
//! Whatever it was that failed must not be done again here: of a mail only the head is read, and if
//! that can't be read either, the message counts as one without a sender.

use sqlx::AnyConnection;

use crate::domain::ids::{ContactId, MessageId, TenantId, ThreadId};
use crate::domain::message::{Direction, Party, Raw};
use crate::domain::review::State;
use crate::pipeline::answer::{Blank, is_taken};
use crate::pipeline::normalise::{self, MimeLimits};
use crate::store::job::Claim;
use crate::store::message::{self, Message};
use crate::store::thread::{self, NewThread};
use crate::store::{self, Store, channel, contact};

/// Most of a mail that is looked at for its sender, in bytes.
const HEAD: usize = 64 * 1024;

/// After the last attempt: the message comes before a person, with what is known of it. The dead job
/// can be replayed; if it succeeds then, what it finds takes the place of this review.
///
/// # Errors
/// Store errors.
pub async fn give_up(store: &Store, c: &mut AnyConnection, job: &Claim) -> store::Result<()> {
    let t = &job.tenant;
    let id: MessageId = store::parse("job.ref_id", &job.ref_id)?;
    let row = match message::get(c, t, &id).await {
        Ok(row) => row,
        Err(store::Error::NotFound(_)) => return Ok(()),
        Err(e) => return Err(e),
    };
    if row.state == "deleted" || row.is_read() {
        return Ok(());
    }
    let (thread, seq) = match (&row.thread, row.thread_seq) {
        (Some(thread), Some(seq)) => (thread.clone(), seq),
        _ => place(store, c, t, &row).await?,
    };
    message::set_unreadable(c, t, &id, &thread, seq).await?;
    if is_taken(c, t, &thread).await? {
        return Ok(());
    }
    let blank = Blank {
        thread: &thread,
        message: &id,
        head_seq: thread::get(c, t, &thread).await?.head_seq,
        // What went out elsewhere waits for no answer.
        state: if row.direction == Direction::In { State::NoMatch } else { State::Filed },
        reason: Some("unreadable"),
        attention: vec!["unreadable".to_owned()],
        priority: 1,
    };
    blank.create(store, c, t).await?;
    Ok(())
}

/// Makes a conversation for the message; gives its id and the message's number in it.
async fn place(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    row: &Message,
) -> store::Result<(ThreadId, i64)> {
    let kind = channel::get(store, c, t, &row.channel).await?.kind;
    let sender = match message::raw(store, c, t, &row.id).await {
        Ok(incoming) => sender(&incoming.raw),
        Err(e) => {
            tracing::warn!(error = %e, message = %row.id, "its original can't be opened");
            None
        }
    };
    let sender = sender.unwrap_or_else(|| Party::nobody(&row.id));
    let people: Vec<ContactId> = contact::ensure(store, c, t, kind, &[sender]).await?;
    let id = ThreadId::from_uuid(store.host.uuid());
    let new = NewThread {
        id: &id,
        channel: &row.channel,
        contact: people.first(),
        external: None,
        subject: None,
        subject_masked: "",
        related: None,
        at: row.sent_at.unwrap_or(row.received_at),
    };
    thread::create(store, c, t, &new).await?;
    thread::add_participants(c, t, &id, &people).await?;
    let seq = thread::advance(c, t, &id, &row.id, new.at, false).await?;
    Ok((id, seq))
}

fn sender(raw: &Raw) -> Option<Party> {
    match raw {
        Raw::Json(m) => m.from.clone(),
        Raw::Mime { bytes, .. } => {
            let near = &bytes[..bytes.len().min(HEAD)];
            let ends = |w: &[u8]| w.starts_with(b"\n\n") || w.starts_with(b"\n\r\n");
            let end = near.windows(3).position(ends).map_or(near.len(), |at| at + 1);
            let parsed = normalise::parse_mime(&near[..end], &MimeLimits::default()).ok()?;
            parsed.from.map(|a| Party { address: a.address, name: a.name })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_read_from_the_head_alone() {
        let mail = |text: &str| {
            sender(&Raw::Mime { bytes: text.as_bytes().to_vec(), thread: None }).map(|p| p.address)
        };
        for end in ["\n", "\r\n"] {
            let head = ["Subject: x", "From: Anna <anna@example.com>"].join(end);
            let found = mail(&format!("{head}{end}{end}From: bob@example.com{end}"));
            assert_eq!(found.as_deref(), Some("anna@example.com"));
        }
        assert_eq!(mail("Subject: nobody\n\nFrom: bob@example.com\n"), None);
    }
}

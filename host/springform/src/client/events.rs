//! Reads server-sent events: the few rules of the format that the host uses.

use futures_util::{Stream, StreamExt};
use reqwest::Response;

/// The data of each event, as it comes.
pub fn data(response: Response) -> impl Stream<Item = anyhow::Result<String>> {
    futures_util::stream::unfold(
        (Box::pin(response.bytes_stream()), Parser::default()),
        |(mut chunks, mut parser)| async move {
            loop {
                if let Some(event) = parser.next() {
                    return Some((Ok(event), (chunks, parser)));
                }
                match chunks.next().await? {
                    Ok(chunk) => parser.push(&chunk),
                    Err(error) => return Some((Err(error.into()), (chunks, parser))),
                }
            }
        },
    )
}

/// Collects bytes and gives out whole events.
#[derive(Debug, Default)]
struct Parser {
    buffer: Vec<u8>,
}

impl Parser {
    fn push(&mut self, chunk: &[u8]) {
        self.buffer
            .extend(chunk.iter().filter(|byte| **byte != b'\r'));
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let data: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect();
            if !data.is_empty() {
                return Some(data.join("\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_pieces_and_comments_are_left_out() {
        let mut parser = Parser::default();
        parser.push(b": keep-alive\n\nevent: operation\ndata: {\"a\":");
        assert_eq!(parser.next(), None);
        parser.push(b"1}\r\n\r\ndata: one\ndata: two\n\n");
        assert_eq!(parser.next().as_deref(), Some("{\"a\":1}"));
        assert_eq!(parser.next().as_deref(), Some("one\ntwo"));
        assert_eq!(parser.next(), None);
    }
}

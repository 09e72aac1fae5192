//! The client's side of one short WebSocket conversation (RFC 6455), by hand: greeting, question, answer, close.
//!
//! It takes only what the chat sends, unfragmented text below 64 KiB, and does not check `Sec-WebSocket-Accept`.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Any 16 bytes will do, and fixed ones keep runs alike.
pub(super) const KEY: &str = "cHJvYml0eS1jbGluaWMtYQ==";

/// Clients must mask; what with is up to them.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_IN_TWO_BYTES: u8 = 126;

const QUESTION: &str = "Is my appointment on Tuesday confirmed?";

#[derive(Debug, thiserror::Error)]
pub(super) enum ChatError {
    #[error("the connection ended early")]
    Io(#[from] std::io::Error),
    #[error("expected a whole text message below 64 KiB, found a frame of kind {0:#x}")]
    Frame(u8),
}

pub(super) async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), ChatError> {
    read_text(&mut stream).await?;
    write(&mut stream, TEXT, QUESTION.as_bytes()).await?;
    read_text(&mut stream).await?;
    // 1000: normal closure.
    write(&mut stream, CLOSE, &1000u16.to_be_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn read_text(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, ChatError> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u8().await?;
    if kind != FINAL | TEXT || length > LENGTH_IN_TWO_BYTES {
        return Err(ChatError::Frame(kind));
    }
    let length = if length == LENGTH_IN_TWO_BYTES { stream.read_u16().await? } else { u16::from(length) };
    let mut payload = vec![0; usize::from(length)];
    stream.read_exact(&mut payload).await?;
    Ok(payload)
}

/// Writes one frame; `payload` is below 126 bytes.
async fn write(stream: &mut (impl AsyncWrite + Unpin), kind: u8, payload: &[u8]) -> Result<(), ChatError> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    let mut frame = vec![FINAL | kind, MASKED | length];
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    stream.write_all(&frame).await?;
    Ok(())
}

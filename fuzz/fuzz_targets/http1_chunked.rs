//! Chunked bodies: pieces of any size decode alike, and an encoded body decodes to itself.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use probity_http1::{BodyDecoder, BodyEncoder, BodyEvent, BodyFraming, Limits, Refusal};

#[derive(Debug, PartialEq)]
struct Decoded {
    body: Vec<u8>,
    trailers: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

fuzz_target!(|data: &[u8]| {
    let Some((step, data)) = data.split_first() else { return };
    let limits = Limits { chunk_extension_bytes: 32, trailer_bytes: 256, trailers: 4, ..Limits::default() };
    let whole = decode(data, data.len().max(1), &limits);
    assert_eq!(whole, decode(data, 1, &limits));
    assert_eq!(whole, decode(data, usize::from(*step).max(1), &limits));
    let Ok(Decoded { body, trailers: Some(trailers) }) = whole else { return };
    let (mut encoder, mut out) = (BodyEncoder::new(BodyFraming::Chunked), BytesMut::new());
    encoder.encode(&body, &mut out).expect("a chunk");
    let fields = trailers.iter().map(|(name, value)| (name, value));
    encoder.finish(fields, &mut out).expect("accepted trailers can be written");
    // The canonical form may be a little longer than what came.
    assert_eq!(decode(&out, out.len(), &Limits::default()), Ok(Decoded { body, trailers: Some(trailers) }));
});

fn decode(data: &[u8], step: usize, limits: &Limits) -> Result<Decoded, Refusal> {
    let mut decoder = BodyDecoder::new(BodyFraming::Chunked, limits);
    let (mut buf, mut body, mut trailers) = (BytesMut::new(), Vec::new(), None);
    for piece in data.chunks(step) {
        buf.extend_from_slice(piece);
        while let Some(event) = decoder.decode(&mut buf)? {
            match event {
                BodyEvent::Data(data) => body.extend_from_slice(&data),
                BodyEvent::End(block) => {
                    trailers =
                        Some(block.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect());
                }
            }
        }
    }
    Ok(Decoded { body, trailers })
}

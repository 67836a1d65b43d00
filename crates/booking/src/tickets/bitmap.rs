//! Writes a black and white PNG: one bit a pixel, not compressed (a QR is
//! small), so that no image library is needed for one picture. Pure.

/// Bytes of one uncompressed block of deflate.
const MAX_BLOCK_BYTES: usize = 65_535;

/// A square picture, `is_black` by column and row.
pub fn black_on_white(side: usize, is_black: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let edge = u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes();
    // One bit of grey, deflate, the usual filters, not interlaced.
    let header = [&edge[..], &edge[..], &[1, 0, 0, 0, 0]].concat();
    let rows = (0..side).flat_map(|y| row(side, y, &is_black));
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", &zlib(&rows.collect::<Vec<_>>()));
    chunk(&mut png, b"IEND", &[]);
    png
}

/// The filter byte "none", then eight pixels a byte; 1 is white.
fn row(side: usize, y: usize, is_black: &impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let mut bytes = vec![0; 1 + side.div_ceil(8)];
    for x in (0..side).filter(|x| !is_black(*x, y)) {
        bytes[1 + x / 8] |= 0x80 >> (x % 8);
    }
    bytes
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    png.extend_from_slice(&length.to_be_bytes());
    let body = [&kind[..], data].concat();
    png.extend_from_slice(&body);
    png.extend_from_slice(&crc32(&body).to_be_bytes());
}

/// RFC 1950 around uncompressed blocks of RFC 1951.
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(MAX_BLOCK_BYTES).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(data).to_be_bytes());
    stream
}

fn adler32(data: &[u8]) -> u32 {
    let (low, high) = data.iter().fold((1u32, 0u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

fn crc32(data: &[u8]) -> u32 {
    let crc = data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn pixels_stand_where_they_belong() {
        assert_eq!(
            row(10, 0, &|x, _| x == 1 || x == 9),
            [0, 0b1011_1111, 0b1000_0000]
        );
    }

    #[test]
    fn long_pictures_take_several_blocks() {
        let stream = zlib(&[7; MAX_BLOCK_BYTES + 1]);
        assert_eq!(stream[2], 0, "the first block is not the last");
        assert_eq!(stream.len(), 2 + 5 + MAX_BLOCK_BYTES + 5 + 1 + 4);
    }
}

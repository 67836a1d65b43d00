//! Bytes as the draw writes them: the one unambiguous encoding of everything that is hashed or
//! signed, SHA-256 over parts, and lower-case hex in JSON.

use ring::digest;
use usher_base::Timestamp;

/// A SHA-256 hash, or any other 32 bytes of the draw.
pub type Hash = [u8; 32];

pub(super) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    finished(context)
}

pub(super) fn finished(context: digest::Context) -> Hash {
    let digest = context.finish();
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// A sequence of fields, each preceded by its length, so that no two sequences give the same bytes.
/// Numbers, lengths and times are eight bytes, big-endian.
pub(super) struct Fields(Vec<u8>);

impl Fields {
    /// Begins with the purpose of the bytes, so that what is signed for one purpose means nothing in another.
    pub(super) fn tagged(tag: &str) -> Self {
        Self(Vec::with_capacity(256)).bytes(tag.as_bytes())
    }

    pub(super) fn bytes(self, field: &[u8]) -> Self {
        let mut fields = self.number(field.len() as u64);
        fields.0.extend_from_slice(field);
        fields
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Milliseconds since 1970.
    pub(super) fn time(mut self, time: Timestamp) -> Self {
        self.0.extend_from_slice(&time.millis().to_be_bytes());
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Text that is shown to people who check a draw: bounded, and without characters that could
/// rewrite what a terminal shows.
pub(super) fn is_plain_text(text: &str, max_bytes: usize) -> bool {
    !text.is_empty() && text.len() <= max_bytes && !text.chars().any(char::is_control)
}

/// `#[serde(with = "hexed")]`: bytes as lower-case hex.
pub(super) mod hexed {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<Vec<u8>>,
    {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).map_err(D::Error::custom)?;
        let length = bytes.len();
        T::try_from(bytes)
            .map_err(|_| D::Error::custom(format!("{length} bytes are not the right length")))
    }
}

/// `#[serde(with = "hexed_list")]`: a list of hashes as lower-case hex.
pub(super) mod hexed_list {
    use super::Hash;
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Hexed(#[serde(with = "super::hexed")] Hash);

    pub fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(hashes.len()))?;
        for hash in hashes {
            list.serialize_element(&Hexed(*hash))?;
        }
        list.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let list = Vec::<Hexed>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|hexed| hexed.0).collect())
    }
}

//! The list of a draw and its Merkle tree, as RFC 6962 builds it: leaf SHA-256(0x00 || fan id),
//! node SHA-256(0x01 || left || right). The list is sorted by fan id, so that one set of fans has
//! one root, and nobody chooses or learns anything by the order.

use serde::{Deserialize, Serialize};
use usher_base::FanId;

use super::bytes::{Hash, hexed_list, sha256};

/// A path of 64 hashes would prove a place in a list of 2^64 fans.
const MAX_PATH_HASHES: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fan {0} stands in the list twice")]
pub struct DuplicateFan(pub FanId);

/// The fans of a draw: each once, ascending by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanList(Vec<FanId>);

impl FanList {
    pub fn new(mut fans: Vec<FanId>) -> Result<Self, DuplicateFan> {
        fans.sort_unstable();
        match fans.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(DuplicateFan(pair[0])),
            None => Ok(Self(fans)),
        }
    }

    pub fn as_slice(&self) -> &[FanId] {
        &self.0
    }

    /// Where a fan's leaf is, if the fan is in the list.
    pub fn index_of(&self, fan: &FanId) -> Option<usize> {
        self.0.binary_search(fan).ok()
    }

    /// The Merkle root alone, without keeping the tree.
    pub fn root(&self) -> Hash {
        let mut level = self.leaves();
        while level.len() > 1 {
            level = parents(&level);
        }
        level.first().copied().unwrap_or_else(empty_root)
    }

    fn leaves(&self) -> Vec<Hash> {
        self.0.iter().map(|fan| leaf(fan.bytes())).collect()
    }
}

/// All hashes of a list's tree (64 bytes a fan), for whoever hands out proofs.
pub struct MerkleTree {
    /// From the leaves up; the last level is the root. Empty for the empty list.
    levels: Vec<Vec<Hash>>,
}

impl MerkleTree {
    pub fn new(list: &FanList) -> Self {
        let mut levels = Vec::new();
        let mut level = list.leaves();
        while level.len() > 1 {
            let above = parents(&level);
            levels.push(level);
            level = above;
        }
        levels.push(level);
        Self { levels }
    }

    pub fn root(&self) -> Hash {
        self.levels
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or_else(empty_root)
    }

    /// The proof for the leaf at `index`, or `None` beyond the list.
    pub fn proof(&self, index: usize) -> Option<InclusionProof> {
        let size = self.levels[0].len();
        if index >= size {
            return None;
        }
        // A last node without a neighbour goes up unchanged and adds nothing to the path.
        let neighbour =
            |(height, level): (usize, &Vec<Hash>)| level.get((index >> height) ^ 1).copied();
        let path = self
            .levels
            .iter()
            .enumerate()
            .filter_map(neighbour)
            .collect();
        Some(InclusionProof {
            index: index as u64,
            size: size as u64,
            path,
        })
    }
}

/// What a fan needs to check, with a page's script, that the published root contains them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    pub index: u64,
    /// How many fans the list has. The root alone does not fix it: compare it with the signed notice.
    pub size: u64,
    /// The neighbours from the leaf to the root.
    #[serde(with = "hexed_list")]
    pub path: Vec<Hash>,
}

impl InclusionProof {
    /// As RFC 9162, 2.1.3.2 walks it.
    pub fn verify(&self, fan: &FanId, root: &Hash) -> bool {
        if self.index >= self.size || self.path.len() > MAX_PATH_HASHES {
            return false;
        }
        let (mut index, mut last) = (self.index, self.size - 1);
        let mut hash = leaf(fan.bytes());
        for neighbour in &self.path {
            if last == 0 {
                return false;
            }
            if index % 2 == 1 || index == last {
                hash = node(neighbour, &hash);
                while index != 0 && index.is_multiple_of(2) {
                    (index, last) = (index / 2, last / 2);
                }
            } else {
                hash = node(&hash, neighbour);
            }
            (index, last) = (index / 2, last / 2);
        }
        last == 0 && hash == *root
    }
}

fn parents(level: &[Hash]) -> Vec<Hash> {
    let parent = |pair: &[Hash]| match pair {
        [left, right] => node(left, right),
        alone => alone[0],
    };
    level.chunks(2).map(parent).collect()
}

fn leaf(content: &[u8]) -> Hash {
    sha256(&[&[0], content])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

fn empty_root() -> Hash {
    sha256(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inputs and roots of Certificate Transparency's own reference tests.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut leaves = Vec::new();
        for (input, root) in inputs.iter().zip(roots) {
            leaves.push(leaf(&hex::decode(input).expect("hex")));
            let mut level = leaves.clone();
            while level.len() > 1 {
                level = parents(&level);
            }
            assert_eq!(hex::encode(level[0]), root, "{} leaves", leaves.len());
        }
    }
}

//! BLS signatures over BLS12-381 in the two forms that drand uses. Here is only the pairing check;
//! what is signed is `drand`'s business.

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Affine, G1Projective, G2Affine, G2Prepared, G2Projective, multi_miller_loop};
use sha2::Sha256;

const SIGNATURE_ON_G1: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
const SIGNATURE_ON_G2: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_";

/// Key on G2 (96 bytes), signature on G1 (48 bytes). Malformed points verify nothing.
pub(super) fn verify_on_g1(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Some(key), Some(signature)) = (g2_point(public_key), g1_point(signature)) else {
        return false;
    };
    let hashed: G1Projective =
        HashToCurve::<ExpandMsgXmd<Sha256>>::hash_to_curve([message], SIGNATURE_ON_G1);
    // e(signature, generator) = e(H(message), key), as one product that must be 1.
    pairings_cancel((&-signature, G2Affine::generator()), (&hashed.into(), key))
}

/// Key on G1 (48 bytes), signature on G2 (96 bytes). Malformed points verify nothing.
pub(super) fn verify_on_g2(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Some(key), Some(signature)) = (g1_point(public_key), g2_point(signature)) else {
        return false;
    };
    let hashed: G2Projective =
        HashToCurve::<ExpandMsgXmd<Sha256>>::hash_to_curve([message], SIGNATURE_ON_G2);
    // e(generator, signature) = e(key, H(message)).
    pairings_cancel((&-G1Affine::generator(), signature), (&key, hashed.into()))
}

pub(super) fn is_g1_key(bytes: &[u8]) -> bool {
    g1_point(bytes).is_some()
}

pub(super) fn is_g2_key(bytes: &[u8]) -> bool {
    g2_point(bytes).is_some()
}

fn pairings_cancel(left: (&G1Affine, G2Affine), right: (&G1Affine, G2Affine)) -> bool {
    let (left_g2, right_g2) = (G2Prepared::from(left.1), G2Prepared::from(right.1));
    let product = multi_miller_loop(&[(left.0, &left_g2), (right.0, &right_g2)]);
    product.final_exponentiation() == bls12_381::Gt::identity()
}

/// A point of the right subgroup. The identity is refused: as a key it would accept itself as
/// the signature of everything.
fn g1_point(bytes: &[u8]) -> Option<G1Affine> {
    let point = Option::from(G1Affine::from_compressed(bytes.try_into().ok()?))?;
    (point != G1Affine::identity()).then_some(point)
}

fn g2_point(bytes: &[u8]) -> Option<G2Affine> {
    let point = Option::from(G2Affine::from_compressed(bytes.try_into().ok()?))?;
    (point != G2Affine::identity()).then_some(point)
}

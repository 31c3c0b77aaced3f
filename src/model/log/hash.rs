//! From a key to a partition: the 32-bit murmur2 of Kafka's clients.
//!
//! Source: `Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.

/// Multiplier of murmur2.
const M: u32 = 0x5bd1_e995;
/// Seed of the hash.
const SEED: u32 = 0x9747_b28c;

/// The hash of a key's bytes; Kafka prints it as a signed number.
pub fn murmur2(bytes: &[u8]) -> u32 {
    let mut h = SEED ^ bytes.len() as u32;
    let mut groups = bytes.chunks_exact(4);
    for group in &mut groups {
        let k = u32::from_le_bytes([group[0], group[1], group[2], group[3]]).wrapping_mul(M);
        let k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = groups.remainder();
    for (i, byte) in rest.iter().enumerate().rev() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition of a hashed key among `n_partitions`. Panics when there is none.
#[inline]
pub fn partition_of_hash(hash: u32, n_partitions: u32) -> u32 {
    assert!(0 < n_partitions, "a topic has at least one partition");
    (hash & 0x7fff_ffff) % n_partitions
}

/// The partition of a key among `n_partitions`. Panics when there is none.
pub fn partition_of_key(key: &[u8], n_partitions: u32) -> u32 {
    partition_of_hash(murmur2(key), n_partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_have_their_known_hashes() {
        assert_eq!(murmur2(b"21") as i32, -973_932_308);
        assert_eq!(murmur2(b"foobar") as i32, -790_332_482);
    }

    #[test]
    fn more_partitions_move_a_key_elsewhere() {
        assert_eq!(partition_of_key(b"order-1", 4), 2);
        assert_eq!(partition_of_key(b"order-1", 8), 6);
    }

    #[test]
    fn an_empty_key_is_a_key() {
        assert_eq!(partition_of_key(b"", 8), partition_of_hash(murmur2(b""), 8));
    }
}

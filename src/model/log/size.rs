//! How many bytes a record takes on the wire and in the log: record format version 2.
//!
//! Source: `DefaultRecord.sizeInBytes`, `DefaultRecordBatch`. Headers and compression are left out.

/// Bytes of a batch before its first record.
pub const BATCH_OVERHEAD: u32 = 61;
/// What the client reserves for a record's length, time and index: 5 + 10 + 5 + 1 bytes.
const MAX_RECORD_OVERHEAD: u32 = 21;

/// Bytes of a number that may be negative, as zigzag varint.
pub const fn varint_bytes(value: i64) -> u32 {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    let bits = 64 - (zigzag | 1).leading_zeros();
    bits.div_ceil(7)
}

/// Bytes of a key or value with its length; a missing one takes 1.
const fn field_bytes(len: Option<u32>) -> u32 {
    match len {
        None => varint_bytes(-1),
        Some(len) => varint_bytes(len as i64) + len,
    }
}

/// Lengths of a record's parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordShape {
    /// Length of the key, if there is one.
    pub key: Option<u32>,
    /// Length of the value; `None` is a tombstone.
    pub value: Option<u32>,
}

impl RecordShape {
    /// Bytes of this record in a batch: `after_ms` is its time after the batch's first record in
    /// ms, `index` its place in the batch.
    pub const fn bytes_in_batch(self, after_ms: i64, index: u32) -> u32 {
        let body = 1
            + varint_bytes(after_ms)
            + varint_bytes(index as i64)
            + field_bytes(self.key)
            + field_bytes(self.value)
            + 1;
        varint_bytes(body as i64) + body
    }

    /// Bytes that the client reserves for a batch that begins with this record.
    pub const fn reserved_bytes(self) -> u32 {
        BATCH_OVERHEAD + MAX_RECORD_OVERHEAD + field_bytes(self.key) + field_bytes(self.value) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_bytes_without_key_make_a_batch_of_a_hundred_and_seventy() {
        let shape = RecordShape { key: None, value: Some(100) };
        assert_eq!(BATCH_OVERHEAD + shape.bytes_in_batch(0, 0), 170);
    }

    #[test]
    fn small_negative_numbers_take_one_byte() {
        assert_eq!([-64, -1, 0, 63].map(varint_bytes), [1; 4]);
        assert_eq!([-65, 64, 8191].map(varint_bytes), [2; 3]);
        assert_eq!(varint_bytes(i64::MIN), 10);
    }
}

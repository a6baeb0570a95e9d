//! The canonical little-endian encoding of trace events, shared by both rooms so that one reader decodes both.
//!
//! An event is a tag byte and its fields in order; integers are little-endian and of fixed size, byte strings carry
//! a `u32` length. Nothing platform-sized is ever encoded.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::contract::DomId;

/// Why bytes are not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the event ends inside a field")]
    Truncated,
    /// No event has this tag.
    #[error("unknown event tag {0}")]
    Tag(u8),
    /// A field holds a value outside its range.
    #[error("a field is out of range")]
    Range,
    /// Bytes follow the last field.
    #[error("bytes follow the event")]
    Trailing,
}

/// Appends fields to a buffer.
pub trait Put {
    /// One byte.
    fn put_u8(&mut self, v: u8);
    /// Two bytes.
    fn put_u16(&mut self, v: u16);
    /// Four bytes.
    fn put_u32(&mut self, v: u32);
    /// Eight bytes.
    fn put_u64(&mut self, v: u64);
    /// A length and that many bytes.
    fn put_bytes(&mut self, v: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, v: u8) {
        self.push(v);
    }
    fn put_u16(&mut self, v: u16) {
        self.extend_from_slice(&v.to_le_bytes());
    }
    fn put_u32(&mut self, v: u32) {
        self.extend_from_slice(&v.to_le_bytes());
    }
    fn put_u64(&mut self, v: u64) {
        self.extend_from_slice(&v.to_le_bytes());
    }
    fn put_bytes(&mut self, v: &[u8]) {
        self.put_u32(v.len() as u32);
        self.extend_from_slice(v);
    }
}

/// Reads fields from a buffer; never panics.
#[derive(Clone, Debug)]
pub struct Get<'a>(pub &'a [u8]);

impl<'a> Get<'a> {
    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }
    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    /// A length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u32()?;
        self.take(n as usize)
    }
    /// Refuses what follows the last field.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing)
        }
    }
}

/// A field of an event: its way in and out of the bytes.
pub trait Field: Sized {
    /// Appends it.
    fn put(&self, to: &mut Vec<u8>);
    /// Reads it.
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError>;
}

macro_rules! integers {
    ($($t:ty),*) => {$(impl Field for $t {
        fn put(&self, to: &mut Vec<u8>) {
            to.extend_from_slice(&self.to_le_bytes());
        }
        fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
            Ok(<$t>::from_le_bytes(from.array()?))
        }
    })*};
}
integers!(u8, u16, u32, u64, u128, i16, i32, i64);

impl Field for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        match from.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Range),
        }
    }
}

impl Field for Vec<u8> {
    fn put(&self, to: &mut Vec<u8>) {
        to.put_bytes(self);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok(from.bytes()?.to_vec())
    }
}

impl Field for String {
    fn put(&self, to: &mut Vec<u8>) {
        to.put_bytes(self.as_bytes());
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        core::str::from_utf8(from.bytes()?)
            .map(String::from)
            .map_err(|_| DecodeError::Range)
    }
}

impl Field for Vec<String> {
    fn put(&self, to: &mut Vec<u8>) {
        to.put_u32(self.len() as u32);
        self.iter().for_each(|s| s.put(to));
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        // The count is not trusted with an allocation: each string takes at least its own length field.
        let n = from.u32()?;
        (0..n).map(|_| String::get(from)).collect()
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(v) = self {
            v.put(to);
        }
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok(if bool::get(from)? {
            Some(T::get(from)?)
        } else {
            None
        })
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        from.array()
    }
}

impl Field for [u64; 2] {
    fn put(&self, to: &mut Vec<u8>) {
        self.iter().for_each(|v| v.put(to));
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok([from.u64()?, from.u64()?])
    }
}

impl Field for DomId {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok(DomId(from.u16()?))
    }
}

impl Field for SocketAddr {
    fn put(&self, to: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(a) => (4u8, a.octets()).put(to),
            IpAddr::V6(a) => (6u8, a.octets()).put(to),
        }
        self.port().put(to);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        let ip = match from.u8()? {
            4 => IpAddr::from(from.array::<4>()?),
            6 => IpAddr::from(from.array::<16>()?),
            _ => return Err(DecodeError::Range),
        };
        Ok(SocketAddr::new(ip, from.u16()?))
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok((A::get(from)?, B::get(from)?))
    }
}

/// Implements [`Field`] for an enum or a struct: a tag byte (enums only) and the fields in the order given.
///
/// The tags are part of the trace's format: a changed or reused one is a new `TRACE_VERSION`.
#[macro_export]
macro_rules! fields {
    (enum $t:ty { $($tag:literal => $name:ident { $($field:ident),* $(,)? }),* $(,)? }) => {
        impl $crate::codec::Field for $t {
            fn put(&self, to: &mut $crate::codec::Bytes) {
                match self {
                    $(Self::$name { $($field),* } => {
                        to.push($tag);
                        $($crate::codec::Field::put($field, to);)*
                    })*
                }
            }
            fn get(from: &mut $crate::codec::Get<'_>) -> Result<Self, $crate::codec::DecodeError> {
                Ok(match from.u8()? {
                    $($tag => Self::$name { $($field: $crate::codec::Field::get(from)?),* },)*
                    tag => return Err($crate::codec::DecodeError::Tag(tag)),
                })
            }
        }
    };
    (struct $t:ty { $($field:tt),* $(,)? }) => {
        impl $crate::codec::Field for $t {
            fn put(&self, to: &mut $crate::codec::Bytes) {
                $($crate::codec::Field::put(&self.$field, to);)*
            }
            fn get(from: &mut $crate::codec::Get<'_>) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::Field::get(from)?),* })
            }
        }
    };
}

/// What events are encoded into; named here for the macro's sake.
pub type Bytes = Vec<u8>;

/// Decodes a whole buffer as one value; trailing bytes are refused.
pub fn decode<T: Field>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut from = Get(bytes);
    let value = T::get(&mut from)?;
    from.end()?;
    Ok(value)
}

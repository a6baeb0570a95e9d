//! What a connection keeps for no other reason than that an application may ask or wants to be told: in one box, which
//! only connections have that need it.

use alloc::boxed::Box;

use crate::tcp::connection::Connection;
use crate::tcp::meter::Meter;
use crate::tcp::written::Written;

/// The box.
#[derive(Debug, Default)]
pub struct Told {
    /// For `TCP_INFO`.
    meter: Option<Meter>,
    /// For `MSG_EOR`, `MSG_ZEROCOPY` and `SO_TIMESTAMPING`.
    written: Option<Box<Written>>,
}

impl Told {
    /// With a meter.
    pub fn measuring(meter: Meter) -> Box<Told> {
        Box::new(Told {
            meter: Some(meter),
            written: None,
        })
    }
}

impl Connection {
    /// Counts and times, if they are kept.
    #[inline]
    pub fn meter(&self) -> Option<&Meter> {
        self.told.as_deref()?.meter.as_ref()
    }

    /// Counts and times, to be changed.
    #[inline]
    pub fn meter_mut(&mut self) -> Option<&mut Meter> {
        self.told.as_deref_mut()?.meter.as_mut()
    }

    /// What was said about octets, if anything was.
    #[inline]
    pub fn written(&self) -> Option<&Written> {
        self.told.as_deref()?.written.as_deref()
    }

    /// What was said about octets, to be changed.
    #[inline]
    pub fn written_mut(&mut self) -> Option<&mut Written> {
        self.told.as_deref_mut()?.written.as_deref_mut()
    }

    /// A place for what is said about octets.
    pub fn written_or_new(&mut self) -> &mut Written {
        let told = self.told.get_or_insert_default();
        told.written.get_or_insert_default()
    }
}

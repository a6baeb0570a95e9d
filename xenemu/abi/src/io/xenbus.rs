//! `xen/io/xenbus.h`: the states of a split device.

/// `enum xenbus_state`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum XenbusState {
    /// `XenbusStateUnknown`
    #[default]
    Unknown = 0,
    /// `XenbusStateInitialising`
    Initialising = 1,
    /// `XenbusStateInitWait`: finished early initialisation, waits for the peer.
    InitWait = 2,
    /// `XenbusStateInitialised`
    Initialised = 3,
    /// `XenbusStateConnected`
    Connected = 4,
    /// `XenbusStateClosing`
    Closing = 5,
    /// `XenbusStateClosed`
    Closed = 6,
    /// `XenbusStateReconfiguring`
    Reconfiguring = 7,
    /// `XenbusStateReconfigured`
    Reconfigured = 8,
}

impl XenbusState {
    /// The state that a `state` node's text names; anything else is Unknown.
    pub fn parse(text: &[u8]) -> XenbusState {
        use XenbusState::*;
        match text {
            b"1" => Initialising,
            b"2" => InitWait,
            b"3" => Initialised,
            b"4" => Connected,
            b"5" => Closing,
            b"6" => Closed,
            b"7" => Reconfiguring,
            b"8" => Reconfigured,
            _ => Unknown,
        }
    }
    /// The node's text.
    pub fn text(self) -> &'static str {
        ["0", "1", "2", "3", "4", "5", "6", "7", "8"][self as usize]
    }
}

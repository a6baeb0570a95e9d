//! A run's packets as pcapng: one interface without link headers, as a tunnel device has it, with the times of the
//! script's clock.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use super::BEGIN;
use super::record::Captured;

/// `if_tsresol`: 10 to the minus nine seconds.
const NANOSECONDS: u8 = 9;
/// The direction bits of `epb_flags`, seen from the stack under test.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Writes a script's packets.
pub fn write(to: impl Write, script: &str, packets: &[Captured]) -> Result<(), PcapError> {
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![
            SectionHeaderOption::UserApplication(Cow::Borrowed("evilbit")),
            SectionHeaderOption::Comment(Cow::Owned(script.to_owned())),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(to, section)?;
    writer.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
    })?;
    for packet in packets {
        let flags = if packet.inbound { INBOUND } else { OUTBOUND };
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(packet.at.since(BEGIN)),
            original_len: packet.bytes.len() as u32,
            data: Cow::Borrowed(&packet.bytes),
            options: vec![EnhancedPacketOption::Flags(flags)],
        })?;
    }
    Ok(())
}

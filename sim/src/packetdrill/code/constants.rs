//! The kernels' names for numbers. Linux' states begin with `TCP_`, FreeBSD's with `TCPI_`, so both can be known at once.

/// The number of a name.
pub fn constant(name: &str) -> Option<i64> {
    Some(match name {
        // Linux, include/net/tcp_states.h
        "TCP_ESTABLISHED" => 1,
        "TCP_SYN_SENT" => 2,
        "TCP_SYN_RECV" => 3,
        "TCP_FIN_WAIT1" => 4,
        "TCP_FIN_WAIT2" => 5,
        "TCP_TIME_WAIT" => 6,
        "TCP_CLOSE" => 7,
        "TCP_CLOSE_WAIT" => 8,
        "TCP_LAST_ACK" => 9,
        "TCP_LISTEN" => 10,
        "TCP_CLOSING" => 11,
        // FreeBSD, sys/netinet/tcp_fsm.h
        "TCPI_CLOSED" => 0,
        "TCPI_LISTEN" => 1,
        "TCPI_SYN_SENT" => 2,
        "TCPI_SYN_RECEIVED" => 3,
        "TCPI_ESTABLISHED" => 4,
        "TCPI_CLOSE_WAIT" => 5,
        "TCPI_FIN_WAIT_1" => 6,
        "TCPI_CLOSING" => 7,
        "TCPI_LAST_ACK" => 8,
        "TCPI_FIN_WAIT_2" => 9,
        "TCPI_TIME_WAIT" => 10,
        // Both; from ECN_SEEN on Linux, include/uapi/linux/tcp.h
        "TCPI_OPT_TIMESTAMPS" => 1,
        "TCPI_OPT_SACK" => 2,
        "TCPI_OPT_WSCALE" => 4,
        "TCPI_OPT_ECN" => 8,
        "TCPI_OPT_ECN_SEEN" => 16,
        "TCPI_OPT_SYN_DATA" => 32,
        // Linux, enum tcp_ca_state
        "TCP_CA_Open" => 0,
        "TCP_CA_Disorder" => 1,
        "TCP_CA_CWR" => 2,
        "TCP_CA_Recovery" => 3,
        "TCP_CA_Loss" => 4,
        _ => return None,
    })
}

//! The flags that are known, by every name they have.

/// How a flag's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Given or not, or `=true` / `=false`.
    Switch,
    /// A whole number.
    Number,
    /// Anything.
    Text,
}

/// A flag, whatever it was called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Addr,
    Auth,
    ClientAdvertise,
    Cluster,
    ClusterAdvertise,
    ClusterName,
    Config,
    ConnectRetries,
    Debug,
    DebugTrace,
    DebugTraceVerbose,
    Help,
    HelpTls,
    HttpPort,
    HttpsPort,
    JetStream,
    LogFile,
    LogSizeLimit,
    LogTime,
    LogTimeUtc,
    MaxTracedMsgLen,
    Name,
    NoAdvertise,
    Pass,
    Pid,
    Port,
    PortsFileDir,
    Profile,
    RemoteSyslog,
    Routes,
    Signal,
    StoreDir,
    Syslog,
    TestConfig,
    Tls,
    TlsCaCert,
    TlsCert,
    TlsKey,
    TlsVerify,
    Trace,
    TraceVerbose,
    User,
    Version,
}

// spec: CORE-147 CORE-148 CORE-149 CORE-150 CORE-151 CORE-152 CORE-153
pub(super) const KNOWN: &[(Flag, Kind, &[&str])] = &[
    (Flag::Addr, Kind::Text, &["a", "addr", "net"]),
    (Flag::Port, Kind::Number, &["p", "port"]),
    (Flag::Name, Kind::Text, &["n", "name", "server_name"]),
    (Flag::Pid, Kind::Text, &["P", "pid"]),
    (Flag::HttpPort, Kind::Number, &["m", "http_port"]),
    (Flag::HttpsPort, Kind::Number, &["ms", "https_port"]),
    (Flag::Config, Kind::Text, &["c", "config"]),
    (Flag::TestConfig, Kind::Switch, &["t"]),
    (Flag::Signal, Kind::Text, &["sl", "signal"]),
    (Flag::ClientAdvertise, Kind::Text, &["client_advertise"]),
    (Flag::PortsFileDir, Kind::Text, &["ports_file_dir"]),
    (Flag::LogFile, Kind::Text, &["l", "log"]),
    (Flag::LogTime, Kind::Switch, &["T", "logtime"]),
    (Flag::LogTimeUtc, Kind::Switch, &["logtime_utc"]),
    (Flag::Syslog, Kind::Switch, &["s", "syslog"]),
    (Flag::RemoteSyslog, Kind::Text, &["r", "remote_syslog"]),
    (Flag::Debug, Kind::Switch, &["D", "debug"]),
    (Flag::Trace, Kind::Switch, &["V", "trace"]),
    (Flag::TraceVerbose, Kind::Switch, &["VV"]),
    (Flag::DebugTrace, Kind::Switch, &["DV"]),
    (Flag::DebugTraceVerbose, Kind::Switch, &["DVV"]),
    (Flag::LogSizeLimit, Kind::Number, &["log_size_limit"]),
    (Flag::MaxTracedMsgLen, Kind::Number, &["max_traced_msg_len"]),
    (Flag::JetStream, Kind::Switch, &["js", "jetstream"]),
    (Flag::StoreDir, Kind::Text, &["sd", "store_dir"]),
    (Flag::User, Kind::Text, &["user"]),
    (Flag::Pass, Kind::Text, &["pass"]),
    (Flag::Auth, Kind::Text, &["auth"]),
    (Flag::Tls, Kind::Switch, &["tls"]),
    (Flag::TlsCert, Kind::Text, &["tlscert"]),
    (Flag::TlsKey, Kind::Text, &["tlskey"]),
    (Flag::TlsVerify, Kind::Switch, &["tlsverify"]),
    (Flag::TlsCaCert, Kind::Text, &["tlscacert"]),
    (Flag::Routes, Kind::Text, &["routes"]),
    (Flag::Cluster, Kind::Text, &["cluster", "cluster_listen"]),
    (Flag::ClusterName, Kind::Text, &["cluster_name"]),
    (Flag::NoAdvertise, Kind::Switch, &["no_advertise"]),
    (Flag::ClusterAdvertise, Kind::Text, &["cluster_advertise"]),
    (Flag::ConnectRetries, Kind::Number, &["connect_retries"]),
    (Flag::Profile, Kind::Number, &["profile"]),
    (Flag::Help, Kind::Switch, &["h", "help"]),
    (Flag::Version, Kind::Switch, &["v", "version"]),
    (Flag::HelpTls, Kind::Switch, &["help_tls"]),
];

pub(super) fn find(name: &str) -> Option<(Flag, Kind)> {
    KNOWN.iter().find(|(_, _, names)| names.contains(&name)).map(|(flag, kind, _)| (*flag, *kind))
}

//! What `--help` and `--help_tls` print.

/// The help text, under the name the program was called by.
#[must_use]
pub fn usage(program: &str) -> String {
    USAGE.replace("{program}", program)
}

/// The help on TLS.
#[must_use]
pub fn tls_help() -> &'static str {
    TLS_HELP
}

const USAGE: &str = "
Usage: {program} [options]

Server:
    -a, --addr, --net <host>         interface to listen on (default: 0.0.0.0, all of them)
    -p, --port <port>                port for clients (default: 4222; -1 picks a free one)
    -n, --name
        --server_name <name>         name of this server (default: its id)
    -P, --pid <file>                 write the process id to this file
    -m, --http_port <port>           port for monitoring over HTTP
    -ms,--https_port <port>          port for monitoring over HTTPS
    -c, --config <file>              configuration file; flags win over it
    -t                               check the configuration file and leave
    -sl,--signal <signal>[=<pid>]    signal a running server: ldm, stop, quit, term, reopen, reload;
                                     <pid> is a process id, the start of one and '*', or a pid file
        --client_advertise <addr>    host[:port] that clients are told instead of the listening address
        --ports_file_dir <dir>       write <program>_<pid>.ports with all URLs into this directory

Logging:
    -l, --log <file>                 log to this file instead of standard error
    -T, --logtime                    begin every entry with the time (default: true)
        --logtime_utc                in UTC instead of local time (default: false)
    -s, --syslog                     log to the syslog of this machine
    -r, --remote_syslog <addr>       log to a syslog elsewhere: udp://host:514, tcp://host:514, unix://path
    -D, --debug                      debug entries
    -V, --trace                      what clients send and get
    -VV                              the same, system account included
    -DV                              debug and trace
    -DVV                             debug and trace, system account included
        --log_size_limit <bytes>     start a new log file at this size
        --max_traced_msg_len <len>   cut traced messages at this length (default: unlimited)

JetStream:
    -js, --jetstream                 turn JetStream on
    -sd, --store_dir <dir>           directory of its streams

Authorization:
        --user <user>                user that clients must give
        --pass <password>            password that clients must give
        --auth <token>               token that clients must give

TLS:
        --tls                        serve TLS, without client certificates (default: false)
        --tlscert <file>             certificate chain of the server, PEM
        --tlskey <file>              its private key, PEM
        --tlsverify                  serve TLS, and ask clients for a certificate
        --tlscacert <file>           authorities that client certificates must come from, PEM

Cluster:
        --routes <url, url>          servers to connect to
        --cluster <url>
        --cluster_listen <url>       where to listen for other servers
        --cluster_name <name>        name of the cluster, which mappings may be bound to
        --no_advertise <bool>        do not tell clients of other servers
        --cluster_advertise <addr>   host:port that other servers are told
        --connect_retries <number>   attempts to reach a server learned from another

Profiling (not in this version):
        --profile <port>             port for profiles

Common:
    -h, --help                       print this
    -v, --version                    print the version
        --help_tls                   print help on TLS
";

const TLS_HELP: &str = r#"
TLS for clients is set up in the configuration file:

    tls {
        cert_file: "./server-cert.pem"     # the server's certificate chain
        key_file:  "./server-key.pem"      # and its private key
        ca_file:   "./ca.pem"              # authorities of client certificates
        verify:    true                    # ask clients for a certificate
        timeout:   2                       # seconds a handshake may take

        min_version: "1.2"                 # or "1.3"
        cipher_suites: [ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" ]
        curve_preferences: [ "X25519", "CurveP256" ]
    }

Leave cipher_suites and curve_preferences out to get safe defaults. A name this server does not speak is
refused when it starts, with the names it does speak.
"#;

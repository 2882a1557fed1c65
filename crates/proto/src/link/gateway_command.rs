//! What one gateway asks of another, in the field `gateway_cmd` of an INFO.

/// What one gateway asks of another.
// spec: CLU-042
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayCommand {
    /// Pass on what this says of gateways.
    Gossip,
    /// All interest of an account follows.
    AllSubsStart,
    /// All interest of an account was told.
    AllSubsComplete,
}

impl GatewayCommand {
    /// The command as `gateway_cmd` has it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Gossip => 1,
            Self::AllSubsStart => 2,
            Self::AllSubsComplete => 3,
        }
    }

    /// The command of this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Gossip),
            2 => Some(Self::AllSubsStart),
            3 => Some(Self::AllSubsComplete),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GatewayCommand;
    use crate::info::Info;

    #[test]
    fn commands_between_gateways() {
        // spec: CLU-042
        for (code, command) in
            [(1, GatewayCommand::Gossip), (2, GatewayCommand::AllSubsStart), (3, GatewayCommand::AllSubsComplete)]
        {
            assert_eq!((command.code(), GatewayCommand::from_code(code)), (code, Some(command)));
        }
        assert_eq!((GatewayCommand::from_code(0), GatewayCommand::from_code(4)), (None, None));
        let info = Info { gateway_cmd: 3, gateway_cmd_payload: b"A".to_vec(), ..Info::default() };
        let mut written = Vec::new();
        info.write_json(&mut written);
        assert!(written.ends_with(br#","gateway_cmd":3,"gateway_cmd_payload":"QQ=="}"#));
        assert_eq!(Info::from_json(&written), Ok(info));
        for bad in [r#"{"gateway_cmd_payload":"Q"}"#, r#"{"gateway_cmd":300}"#, r#"{"lnoc":1}"#, "[]", "{"] {
            assert!(Info::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(Info::from_json(br#"{"gateway_cmd_payload":null}"#), Ok(Info::default()));
    }
}

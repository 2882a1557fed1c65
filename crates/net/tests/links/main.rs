//! Links over real sockets, with a toy protocol: both ends on one machine, or one end played by the test.

mod compressed;
mod dialled;
mod encrypted;
mod plain;
mod slow;
mod support;

//! A client that forgives nothing: it asks from several threads, checks every answer, and counts every anomaly by its kind.
//! The conformance tests hold servers to their promises with it; the command of the same name is for people who reload,
//! stop and kill servers of their own.
//!
//! - `http`: responses as parsed bytes; `connection`: one client connection, which sends exactly what it is given;
//! - `tls`: how a client speaks TLS;
//! - `load`: many of them at work; `anomaly`: what can go wrong, and how it is told.

pub mod anomaly;
pub mod connection;
pub mod http;
pub mod load;
pub mod tls;

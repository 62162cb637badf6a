//! From one process of Orbitra to the next, without a visitor noticing: what the two say to each other ([`channel`]),
//! how an operator asks for it ([`command`]), how the new one becomes the service manager's own ([`detached`]), and what
//! the manager gives ([`activation`]) and is told ([`notify`]).
//!
//! The old process starts the new one and gives it its sockets. Who owns the data directory is said in words, one
//! message after the other, so that there is one writer at any time:
//!
//! | message | direction | from then on |
//! |---|---|---|
//! | `started` | to the old | the process in between has ended, and the new one is nobody's child there |
//! | `lock`, `listener` | to the new | it holds the directory's lock and the listening sockets as well |
//! | `check` | to the new | it looks whether it could run on this data, and changes nothing |
//! | `checked` | to the old | the old one ends its control plane and takes a copy of the database |
//! | `take` | to the new | the data are its own; it brings the database up to date and builds everything |
//! | `ready` | to the old | it could serve |
//! | `serve` | to the new | it accepts connections and works |
//! | `serving` | to the old | the old one accepts no more, finishes what it has, and ends |
//! | `relay` | to the new | a request that the old one still got and that only the new one can answer |
//! | `ending` | to the old | the service is to end: the new one waits until the old one has finished |
//!
//! A channel that ends before `serving` tells the old one to go on as before, and the new one that it is alone.

pub mod activation;
pub mod channel;
pub mod command;
pub mod detached;
pub mod notify;

//! The process as its programs see it, on two whole stacks with a cable between them.

mod basics;
mod epoll;
mod error_queue;
mod lab;
mod linger;
mod options;

mod build_failure;
mod sockets;

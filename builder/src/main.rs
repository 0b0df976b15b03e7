//! The avalanche binary.

fn main() {
    avalanche::helper::run_if_requested();
}

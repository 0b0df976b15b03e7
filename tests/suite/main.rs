//! The suite.

mod architecture;
mod commands;
mod corpus;
mod crashes;
mod failing;
mod forge;
mod https;
mod inbox;
mod publishing;
mod pulls;
mod repositories;
mod webhooks;

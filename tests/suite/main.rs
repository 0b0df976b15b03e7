//! The suite.

mod architecture;
mod away;
mod builders;
mod calls;
mod commands;
mod corpus;
mod crashes;
mod cycles;
mod failing;
mod faults;
mod forge;
mod github;
mod gone;
mod https;
mod profiles;
mod publishing;
mod pulls;
mod repositories;
mod retention;
mod stage;
mod trying;
mod webhooks;

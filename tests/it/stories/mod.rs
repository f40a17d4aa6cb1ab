//! What the person feels, point by point: somebody writes to the real `chela run` through Telegram's webhook, a provider
//! with a script thinks, and both what it was sent and what the person got are looked at.

mod agents;
mod attacks;
mod browser;
mod commands;
mod context;
mod dialect;
mod exec;
mod exec_deployed;
mod exec_killed;
mod failover;
mod floods;
mod house;
mod mcp;
mod media;
mod memory;
mod models;
mod pictures;
mod provider;
mod skills;
mod spend;
mod streaming;
mod telegram;
mod tools;
mod web;
mod writing;
mod wrong;

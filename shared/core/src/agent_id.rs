//! agent_id

//! All native tests in one program: thirty would link the library thirty times.
//!
//! `cargo test --test native golden` runs those of `golden.rs`. Not here: `alloc.rs`, whose
//! allocator counts for its whole process. `wasm.rs` is here, and in the browser by itself.

mod books;
mod broker_properties;
mod cli;
mod conservation;
mod everywhere;
mod first_light;
mod fuzz;
mod generated;
mod golden;
mod golden_stage;
mod guarantee_presets;
mod kernel_queue;
mod links;
mod log_presets;
mod log_properties;
mod log_worlds;
mod members;
mod mqtt_presets;
mod mqtt_worlds;
mod others_properties;
mod preset_stories;
mod presets;
mod queue_presets;
mod scenario_documents;
mod scenarios;
mod serve;
mod stm32_world;
mod tcp_presets;
mod tcp_smoltcp;
mod tcp_stack_properties;
mod tcp_world;
mod tidy;
mod time_travel;
mod validate_amqp;
mod validate_linux_tcp;
mod validate_log;
mod validate_lwip;
mod validate_others;
mod validate_queueing;
mod wasm;
mod workqueue_worlds;
mod stm32_presets;
mod stm32_sizing;

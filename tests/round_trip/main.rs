//! Every version of every listed API, there and back: requests encoded by the client side of the generated crate are decoded by
//! `corelane::wire`, responses the other way round. Then hostile frames: cut, with huge counts; mutated ones are in `tests/fuzz`.

mod both_ways;
mod client;
mod counting;
mod fetch;
mod groups;
mod hostile;
mod messages;
mod produce;
mod received;
mod record_batch;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

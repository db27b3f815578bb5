pub mod blackbox;
pub mod exact;
pub mod history;
pub mod operation;
pub mod recorder;
pub mod replay;
pub mod verdict;

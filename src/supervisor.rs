//! The loop over connectors: carries out the connector machine's commands and reports back to it.

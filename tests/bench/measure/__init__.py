"""The benchmark's parts: `command` runs them, `goals` and `growth` judge what they found, `table` prints it."""

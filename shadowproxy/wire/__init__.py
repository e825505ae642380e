"""What processes say to each other: frames from workers to the recorder, messages to and from the supervisor."""

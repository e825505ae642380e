"""What llhttp leaves open about HTTP/1: framing, guards, head serialisation. Pure: bytes in, bytes and facts out."""

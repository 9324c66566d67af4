"""What programs that embed the server are made of."""

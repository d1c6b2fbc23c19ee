"""What both adapters stand on: TLS without a socket, driving dialogues, clocks, options."""

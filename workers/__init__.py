"""What runs: the processes of Payferry and the commands that start them."""

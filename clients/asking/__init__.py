"""What is said to the service, how often and to what end, and the two ways to say it."""

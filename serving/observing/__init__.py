"""What happens to rows, calls and adapters, told to the observers of this process."""

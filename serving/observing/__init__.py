"""What happens to rows, calls and adapters, told to whoever observes this process."""

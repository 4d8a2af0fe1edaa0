"""What each benchmark's picture shows: a saved record in, a drawing out."""

"""Rules about AWS resources."""

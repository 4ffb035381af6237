"""Small programs that use Antiphon; each runs by itself."""

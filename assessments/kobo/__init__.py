"""KoboToolbox as the outside world: client, errors, payloads. Knows neither Django nor any app."""

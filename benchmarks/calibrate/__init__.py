"""Calibrate: how often the keep gate and the alarms are right, on simulated campaigns whose truth is known."""

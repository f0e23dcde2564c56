"""Run history: experiments, runs, events, filters."""

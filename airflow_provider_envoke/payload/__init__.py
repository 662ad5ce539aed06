"""Turns a row of a warehouse into the payload that Envoke accepts. Pure: no Airflow, no network, no files."""

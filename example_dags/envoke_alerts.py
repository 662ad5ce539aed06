"""
### Get the result of a sync by e-mail, also if it fails

Each run of the task `sync` ends with an e-mail that has its report: counts, fields and reasons, no personal data.
The report is in XCom before a task fails, so the e-mail of a failed run has it too. If a task fails before its
run begins, for example because of a wrong argument, the e-mail says that there is no report.

The notifier is Airflow's own. Any other one works in the same way, such as Slack's
(`apache-airflow-providers-slack`): give it the template `REPORT`.

Connections: those of `envoke_nightly_sync`, whose table it reads too, and `smtp_default`, with the sender in its
extra (`{"from_email": "airflow@example.com"}`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from airflow_provider_envoke.sync import report_as_markdown
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

# The report of the task whose callback this is; of a mapped task, that of its own instance.
REPORT = "{{ report_as_markdown(ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)) }}"


def email(outcome: str) -> SmtpNotifier:
    """Return a notifier that sends the report to the address in the parameter ``to``."""
    return SmtpNotifier(
        to="{{ params.to }}",
        subject=f"{{{{ dag.dag_id }}}}.{{{{ ti.task_id }}}} {outcome}",
        html_content=f"<pre>{REPORT}</pre>",  # no name in the report acts as HTML
    )


with DAG(
    "envoke_alerts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    tags=["envoke", "example"],
    user_defined_macros={"report_as_markdown": report_as_markdown},
    params={
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
        "to": Param("data-team@example.com", type="string", description="Who gets the e-mails."),
    },
) as dag:
    SqlToEnvokeOperator(
        task_id="sync",
        sql_conn_id="{{ params.warehouse }}",
        sql="SELECT email, first_name, last_name, company, phone, city, language FROM customers",
        on_missing="skip",
        on_overlong="truncate",
        on_success_callback=email("succeeded"),
        on_failure_callback=email("failed"),
    )

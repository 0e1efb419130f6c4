"""The pages of a record's way to the public: each move is confirmed on a page of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from .. import workflow
from ..exports import record
from ..importer import ImportRefused
from ..models import Agreement, WithdrawalKind
from ..models.vocabulary import validate_code
from ..pages.agreements import record_context
from ..record.after_change import names_in
from ..record.differences import Difference, differences
from ..workflow import Conflict, Gone, Incomplete, Move, Refused
from .guard import signed_in

#: With the words before it, a reason fits the line that a revision has for it.
REASON_LENGTH = 400


def _sentence(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class SeenForm(forms.Form):
    """What every move carries: the version of the record that the person saw."""

    lock_version = forms.IntegerField(widget=forms.HiddenInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, agreement: Agreement, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lock_version"].initial = agreement.lock_version


def seen_in_list(agreement: Agreement, posted: QueryDict | None = None) -> SeenForm:
    """The version in which the change list shows a record, which may be one of many there."""
    return SeenForm(posted, agreement=agreement, prefix=f"seen-{agreement.pk}")


class MoveForm(SeenForm):
    """One move on a page of its own."""

    def __init__(self, *args: Any, agreement: Agreement, user: User, **kwargs: Any) -> None:
        super().__init__(*args, agreement=agreement, **kwargs)


class ReturnForm(MoveForm):
    note = _sentence(
        "What should be changed", "For staff only: it stands in the history of the record."
    )


class PublishForm(MoveForm):
    """The reason is asked of every author, the agreement to replace where there is a need."""

    reason = _sentence(
        "Why nobody else checks it first",
        "You edited this record, and nobody else has checked it since. For staff only: the "
        "record stays marked as published without a second check until another person approves it.",
    )
    replace = forms.BooleanField(
        label="Replace what was changed meanwhile",
        help_text="The published record was changed after this working copy was begun.",
    )

    def __init__(self, *args: Any, agreement: Agreement, user: User, **kwargs: Any) -> None:
        super().__init__(*args, agreement=agreement, user=user, **kwargs)
        if workflow.is_second_person(agreement, user):
            del self.fields["reason"]
        if agreement.revises_id is None or not workflow.changed_meanwhile(agreement):
            del self.fields["replace"]


class ReaddressForm(MoveForm):
    slug = forms.CharField(
        label="New address",
        max_length=120,
        validators=[validate_code],
        help_text="Only if the present address is wrong. Participants, kind and year: "
        "hsa-mhlw-moc-2026.",
    )


class WithdrawForm(MoveForm):
    withdrawal_kind = forms.ChoiceField(
        label="Kind of withdrawal", choices=WithdrawalKind.choices, widget=forms.RadioSelect
    )
    withdrawal_reason = forms.CharField(
        label="Reason for the withdrawal",
        help_text=Agreement._meta.get_field("withdrawal_reason").help_text,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    merged_into = forms.CharField(
        label="Merged into",
        required=False,
        max_length=2000,
        help_text="Only for a merged record: the address of the published record that now holds "
        "its content, whole or its last part, for example hsa-mhlw-moc-2026.",
    )

    def clean_merged_into(self) -> Agreement | None:
        """The published record at this address."""
        slug = self.cleaned_data["merged_into"].strip().rstrip("/").rpartition("/")[2]
        if not slug:
            return None
        found = Agreement.objects.register().filter(slug=slug).first()
        if found is None:
            raise ValidationError("No published record has this address.")
        return found


class PublishAgainForm(MoveForm):
    reason = _sentence("Why it is published again", "For staff only.")


FORMS: dict[Move, type[MoveForm]] = {
    Move.RETURN: ReturnForm,
    Move.PUBLISH: PublishForm,
    Move.READDRESS: ReaddressForm,
    Move.WITHDRAW: WithdrawForm,
    Move.PUBLISH_AGAIN: PublishAgainForm,
}
MAKE: dict[Move, Callable[..., Agreement]] = {
    Move.SUBMIT: workflow.submit,
    Move.RETURN: workflow.return_to_draft,
    Move.PUBLISH: workflow.publish,
    Move.APPROVE: workflow.approve,
    Move.BEGIN: workflow.begin_working_copy,
    Move.DISCARD: workflow.discard_working_copy,
    Move.READDRESS: workflow.readdress,
    Move.WITHDRAW: workflow.withdraw,
    Move.PUBLISH_AGAIN: workflow.publish_again,
}
#: What the person is told before each move, and after it.
BEFORE: dict[Move, str] = {
    Move.SUBMIT: "A colleague is asked to check and publish the record. The public does not see "
    "it yet, and it can still be edited.",
    Move.RETURN: "The record goes back to draft, with your note for whoever edits it.",
    Move.PUBLISH: "The public sees the record at once, at an address that stays.",
    Move.APPROVE: "You confirm that you have checked the record against its sources. The mark "
    "“published without a second check” goes; the public page does not change.",
    Move.BEGIN: "The record is copied. You edit the copy, and the public goes on seeing the "
    "published version until the working copy is published.",
    Move.DISCARD: "The working copy goes, with all that was changed in it. The published record "
    "stays as it is; the history keeps what the working copy said.",
    Move.READDRESS: "The record gets the new address. The present one leads to it for good.",
    Move.WITHDRAW: "The record leaves every list, count and download. Its address tells the kind "
    "of the withdrawal, the day, and the reason that you give here.",
    Move.PUBLISH_AGAIN: "The public sees the record again, at its address. The page that tells of "
    "the withdrawal goes.",
}
AFTER: dict[Move, str] = {
    Move.SUBMIT: "Submitted for review.",
    Move.RETURN: "Returned to draft.",
    Move.PUBLISH: "Published.",
    Move.APPROVE: "Approved.",
    Move.BEGIN: "This is the working copy: edit it here. The public still sees the published "
    "version.",
    Move.DISCARD: "The working copy was discarded.",
    Move.READDRESS: "Moved to its new address.",
    Move.WITHDRAW: "Withdrawn.",
    Move.PUBLISH_AGAIN: "Published again.",
}


def urls(model_admin: "admin.ModelAdmin[Agreement]") -> list[URLPattern]:
    """The addresses of the moves and of the preview, below the address of the record."""
    inside = model_admin.admin_site.admin_view
    return [
        path(
            "<int:pk>/move/<slug:name>/",
            inside(partial(move_page, model_admin)),
            name="agreements_agreement_move",
        ),
        path(
            "<int:pk>/preview/",
            inside(require_safe(partial(preview, model_admin))),
            name="agreements_agreement_preview",
        ),
    ]


def desk(request: HttpRequest, agreement: Agreement) -> dict[str, Any]:
    """What stands above the form of a record: where it stands, and the moves open to the person."""
    user = signed_in(request)
    frozen = agreement.state in workflow.FROZEN
    working_copy = workflow.working_copy_of(agreement) if frozen else None
    moves = [
        {"name": move.value, "label": move.label, "url": move_url(agreement, move)}
        for move in workflow.moves_open_to(agreement, user)
        if not (working_copy and move == Move.BEGIN)
    ]
    return {
        "moves": moves,
        "working_copy": working_copy,
        "last_change": workflow.last_change(agreement),
        "missing": [] if frozen else workflow.missing(agreement),
    }


def move_url(agreement: Agreement, move: Move) -> str:
    """The page on which this move is confirmed."""
    return reverse("admin:agreements_agreement_move", args=[agreement.pk, move.value])


def form_url(agreement: Agreement) -> str:
    """The form of a record at the staff desk."""
    return reverse("admin:agreements_agreement_change", args=[agreement.pk])


def move_page(
    model_admin: "admin.ModelAdmin[Agreement]", request: HttpRequest, pk: int, name: str
) -> HttpResponse:
    """Say what a move will do, and do it when the person confirms."""
    if name not in Move:
        raise Http404
    move = Move(name)
    user = signed_in(request)
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    agreement = Agreement.objects.select_related("revises").filter(pk=pk).first()
    context = model_admin.admin_site.each_context(request) | {
        "opts": model_admin.opts,
        "title": move.label,
        "agreement": agreement,
        "move": move,
        "before": BEFORE[move],
    }
    try:
        if agreement is None:
            raise Gone("There is no such record. A working copy goes when it is published.")
        posted = request.POST if request.method == "POST" else None
        form = FORMS.get(move, MoveForm)(posted, agreement=agreement, user=user)
        if not form.is_valid():
            workflow.check(agreement, move, user)
        elif landed := _made(move, pk, user, form):
            messages.success(request, AFTER[move])
            return HttpResponseRedirect(form_url(landed))
    except (Refused, PermissionDenied) as refusal:
        status = 404 if isinstance(refusal, Gone) else 409
        status = 403 if isinstance(refusal, PermissionDenied) else status
        context |= {
            "title": "Nothing was changed",
            "refusal": str(refusal),
            "change": refusal.change if isinstance(refusal, Conflict) else None,
            "missing": refusal.missing if isinstance(refusal, Incomplete) else [],
        }
        return render(request, f"{_TEMPLATES}/move_refused.html", context, status=status)
    context |= {"form": form, "missing": [], "changed_meanwhile": []}
    if move in (Move.SUBMIT, Move.PUBLISH, Move.PUBLISH_AGAIN):
        context["missing"] = workflow.missing(agreement)
    if move == Move.PUBLISH and agreement.revises_id:
        context["changed_meanwhile"] = workflow.changed_meanwhile(agreement)
    return render(request, f"{_TEMPLATES}/move.html", context)


_TEMPLATES = "admin/agreements/agreement"


def _made(move: Move, pk: int, user: User, form: MoveForm) -> Agreement | None:
    """Make the move; None if what was typed is refused, which the form then tells."""
    try:
        return MAKE[move](pk, user=user, **form.cleaned_data)
    except ValidationError as error:
        known = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for field, told in known.items():
            form.add_error(field if field in form.fields else None, told)
    except ImportRefused as error:
        raise Refused(" ".join(error.faults)) from error
    return None


def preview(
    model_admin: "admin.ModelAdmin[Agreement]", request: HttpRequest, pk: int
) -> HttpResponse:
    """The page that the public would see if the record were published now."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    agreement = Agreement.objects.filter(pk=pk).first()
    if agreement is None:
        raise Http404
    if agreement.public:
        return redirect(agreement)
    # Once it stands as if published, nothing differs any more.
    changed = _changed_by(agreement)
    try:
        with workflow.as_if_published(agreement) as public:
            context = record_context(request, public) | {
                "previewed": agreement,
                "differences": changed,
            }
            response = render(request, f"{_TEMPLATES}/preview.html", context)
    except ImportRefused as error:
        context = model_admin.admin_site.each_context(request) | {
            "opts": model_admin.opts,
            "title": "There is no preview",
            "agreement": agreement,
            "refusal": " ".join(error.faults),
        }
        response = render(request, f"{_TEMPLATES}/move_refused.html", context, status=409)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _changed_by(working_copy: Agreement) -> list[Difference]:
    """What the public record would say otherwise if this working copy were published."""
    if working_copy.revises_id is None:
        return []
    pair = Agreement.objects.with_related().in_bulk([working_copy.revises_id, working_copy.pk])
    before, after = (
        record(pair[pk]) | {"slug": "", "former_slugs": []}
        for pk in (working_copy.revises_id, working_copy.pk)
    )
    return differences(before, after, names=names_in([before, after]))


@admin.action(permissions=["change"], description="Submit for review")
def submit_for_review(
    model_admin: "admin.ModelAdmin[Agreement]", request: HttpRequest, queryset: QuerySet[Agreement]
) -> None:
    """Submit many drafts at once; what is no draft, what was changed since the list was shown and
    what it did not show is named and left."""
    user = signed_in(request)
    submitted = 0
    for agreement in queryset:
        seen = seen_in_list(agreement, request.POST)
        if not seen.is_valid():
            messages.warning(request, f"{agreement}: it was not on the page that you saw.")
            continue
        try:
            workflow.submit(agreement.pk, user=user, **seen.cleaned_data)
        except (Refused, PermissionDenied) as refusal:
            messages.warning(request, f"{agreement}: {refusal}")
        else:
            submitted += 1
    if submitted:
        messages.success(request, f"Submitted for review: {submitted}.")

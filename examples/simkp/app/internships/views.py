# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.forms import DateInput, modelform_factory
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from internships.models import Company, Internship, Student, Supervisor
from internships.retry import again

KINDS = {str(model._meta.verbose_name_plural): model for model in (Internship, Student, Company, Supervisor)}


def page(request, template, kind, model, **context):
    context |= {"kind": kind, "kinds": list(KINDS), "noun": model._meta.verbose_name}
    return render(request, f"internships/{template}.html", context)


def form_of(model):
    widgets = {"begins": DateInput({"type": "date"}), "ends": DateInput({"type": "date"})}
    return modelform_factory(model, exclude=["id"], widgets=widgets if model is Internship else None)


def model_of(kind):
    if kind not in KINDS:
        raise Http404
    return KINDS[kind]


def home(request):
    return redirect("list", "internships")


@again
def rows(request, kind):
    model = model_of(kind)
    paginator = Paginator(model.objects.select_related(), 50)
    found = paginator.get_page(request.GET.get("page"))
    titles = [model._meta.get_field(name).verbose_name for name in model.shown]
    return page(request, "list", kind, model, rows=found, titles=titles)


@again
def add(request, kind):
    model = model_of(kind)
    if request.method != "POST":
        return page(request, "form", kind, model, form=form_of(model)(), key=uuid.uuid4())
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return HttpResponse("The form carries no key.", status=400)
    if model.objects.filter(pk=key).exists():
        # An earlier attempt was stored, only its answer was lost.
        return redirect("list", kind)
    form = form_of(model)(request.POST, instance=model(pk=key))
    if not form.is_valid():
        return page(request, "form", kind, model, form=form, key=key)
    form.save()
    return redirect("list", kind)


@again
def edit(request, kind, key):
    model = model_of(kind)
    record = get_object_or_404(model, pk=key)
    form = form_of(model)(request.POST or None, instance=record)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("list", kind)
    return page(request, "form", kind, model, form=form, record=record)


@again
def health(request):
    """For a load balancer or a test: whether a member answers, by way of the proxy."""
    return HttpResponse(f"{Internship.objects.count()} internships\n", content_type="text/plain")

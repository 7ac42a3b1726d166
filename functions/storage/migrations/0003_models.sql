-- An endpoint without its model is out of service, but its answers are not withdrawn.
alter table endpoints drop constraint endpoints_state_check;
alter table endpoints add constraint endpoints_state_check check (state in ('ok', 'out', 'missing'));
